{#
    Legs: one row per event and position that it belongs to, two where it crosses zero.
    `events` are those of accumulated_position_events().
#}
{% macro built_legs(events) %}
with events as (
    select
        *,
        lead(happened_at) over (partition by account_name, symbol order by event_number) as next_event_at
    from {{ events }}
),

instruments as (
    select * from {{ ref('stg_alpaca__instruments') }}
),

-- An event that crosses zero is cut in two: part 1 closes, part 2 opens the next one.
parts as (
    select
        events.*,
        parts.part,
        case
            when parts.part = 2 then 0
            else events.quantity_before
        end as part_before,
        case
            when parts.part = 1 and sign(events.quantity_before) * sign(events.quantity_after) = -1 then 0
            else events.quantity_after
        end as part_after
    from events
    cross join (values (1), (2)) as parts (part)
    where
        (events.quantity_before <> 0 or events.quantity_after <> 0)
        and (
            parts.part = 1
            or sign(events.quantity_before) * sign(events.quantity_after) = -1
        )
),

numbered as (
    select
        *,
        count(*) filter (where part_before = 0) over (
            partition by account_name, symbol order by event_number, part
        ) as position_number
    from parts
),

identified as (
    select
        *,
        first_value(event_id) over position_window as opening_event_id,
        first_value(part) over position_window as opening_part,
        row_number() over position_window as leg_number,
        lead(happened_at) over position_window as next_happened_at,
        lead(event_number) over position_window is null as is_last,
        last_value(part_after) over whole_position as last_quantity,
        case when moves = 'split' then part_after / part_before else 1 end as split_ratio
    from numbered
    window
        position_window as (
            partition by account_name, symbol, position_number order by event_number, part
        ),
        whole_position as (
            partition by account_name, symbol, position_number order by event_number, part
            rows between unbounded preceding and unbounded following
        )
),

legs as (
    select
        {{ stable_uuid([
            'identified.account_name',
            'identified.symbol',
            'identified.opening_event_id',
            'identified.opening_part'
        ]) }} as position_id,
        identified.leg_number,
        identified.account_name,
        identified.symbol,
        instruments.symbol_id,
        instruments.multiplier,
        identified.event_id,
        identified.part,
        identified.event_type,
        identified.moves,
        identified.order_id,
        identified.client_order_id,
        identified.execution_id,
        identified.amount as event_amount,
        identified.price,
        identified.part_after - identified.part_before as signed_quantity,
        identified.part_after as quantity_after,
        -- Cash of a position is before the contract multiplier; a split moves none.
        sum(
            case
                when identified.moves = 'split' then 0
                else (identified.part_before - identified.part_after) * identified.price
            end
        ) over (
            partition by identified.account_name, identified.symbol, identified.position_number
            order by identified.leg_number
        ) as cash_after,
        -- What one unit of this leg is at the end of the position: 4 after a 4:1 split.
        coalesce(
            {{ product('identified.split_ratio') }} over (
                partition by identified.account_name, identified.symbol, identified.position_number
                order by identified.leg_number desc
                rows between unbounded preceding and 1 preceding
            ),
            1
        ) as units_at_end,
        -- An opening leg moves away from zero.
        identified.moves = 'trade'
        and sign(identified.part_after - identified.part_before) = sign(identified.part_after) as is_opening,
        identified.is_last,
        identified.last_quantity <> 0 as is_open_position,
        identified.part_after = 0
        and identified.moves <> 'split'
        and abs(identified.part_before) <> abs(identified.amount)
        and abs(abs(identified.part_before) - abs(identified.amount))
        < {{ var('dust_quantity') }} as is_dust_close,
        -- From here on the lane can be derived again without what was before: it is flat,
        -- and nothing else happens at this instant.
        identified.quantity_after = 0
        and coalesce(identified.next_event_at > identified.happened_at, true) as is_flat_point,
        identified.happened_at as leg_started_at,
        case
            when identified.part_after = 0 then identified.happened_at
            else coalesce(identified.next_happened_at, 'infinity'::timestamptz)
        end as leg_ended_at,
        identified.received_at
    from identified
    inner join instruments on identified.symbol = instruments.symbol
)

select * from legs
{% endmacro %}
