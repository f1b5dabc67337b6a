{#
    A table: the planner does not know that each look-up reads the partitions of a
    minute only, and beside the cost that it expects of them all, joins of this with
    other models looked free, so that it looped over all pairs of positions.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        indexes=[{'columns': ['position_id']}],
        post_hook='analyze {{ this }}'
    )
}}

with positions as (
    select * from {{ ref('int_positions__derived') }}
    -- Nobody saw when the others were entered.
    where not is_opening_synthetic
),

marks as (
    select * from {{ ref('stg_alpaca__marks') }}
),

-- The last two-sided quote at or before entry. Trades in between say nothing of the
-- spread and are passed over.
quoted as (
    select
        positions.position_id,
        quote.observed_at as entry_quoted_at,
        {{ percent_of(
            '(quote.ask::numeric - quote.bid::numeric)',
            '((quote.ask::numeric + quote.bid::numeric) / 2)'
        ) }} as entry_spread_pct
    from positions
    cross join lateral (
        select
            marks.observed_at,
            marks.bid,
            marks.ask
        from marks
        where
            marks.symbol_id = positions.symbol_id
            and marks.observed_at <= positions.opened_at
            and marks.observed_at >= positions.opened_at - interval '{{ var("entry_quote_max_age_seconds") }} seconds'
            and marks.price > 0
            and marks.bid is not null
        order by marks.observed_at desc, marks.price desc
        limit 1
    ) as quote
)

select * from quoted
