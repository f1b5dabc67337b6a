{#
    What the broker last said of each execution that it took back or changed: one row per
    bust or correction, of every lane, with the id of the execution at its root; the last
    word of a root is that of newness 1.
#}
{% macro last_words() %}
with events as (
    select * from {{ ref('stg_alpaca__events') }}
),

-- A bust or correction names an execution by the id of one source; the fill may be
-- stored under the other's.
superseding as (
    select
        named.*,
        coalesce(events.fill_event_id, named.supersedes_event_id) as target_event_id
    from {{ ref('stg_alpaca__fills') }} as named
    left join events on named.supersedes_event_id = events.event_id
    where named.supersedes_event_id is not null
),

-- Corrections can be corrected: follow the names back to the execution at the root.
-- `recursive` costs nothing here, busts and corrections are rare.
rooted as (
    with recursive walk as (
        select
            superseding.event_id,
            superseding.target_event_id as root_event_id,
            1 as depth
        from superseding

        union all

        select
            walk.event_id,
            superseding.target_event_id as root_event_id,
            walk.depth + 1 as depth
        from walk
        inner join superseding on walk.root_event_id = superseding.event_id
        where walk.depth < 100
    )

    select distinct on (event_id)
        event_id,
        root_event_id,
        depth
    from walk
    order by event_id asc, depth desc
),

last_words as (
    select
        rooted.root_event_id,
        superseding.*,
        superseding.kind = 'bust' as is_bust,
        row_number() over (
            partition by rooted.root_event_id
            order by
                superseding.executed_at desc,
                rooted.depth desc,
                superseding.event_id desc
        ) as newness
    from rooted
    inner join superseding on rooted.event_id = superseding.event_id
)

select * from last_words
{% endmacro %}
