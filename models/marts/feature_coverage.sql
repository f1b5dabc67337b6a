with positions as (
    select * from {{ ref('int_positions__described') }}
),

counted as (
    select
        {{ trading_date('opened_at') }} as trading_date,
        account_name,
        count(*) as opened_count,
        count(execution_uuid) as dispatched_count,
        count(recommendation_id) as recommended_count,
        count(entry_features_json) filter (where recommendation_id is not null) as featured_count
    from positions
    group by 1, 2
),

final as (
    select
        trading_date,
        account_name,
        opened_count,
        dispatched_count,
        recommended_count,
        featured_count,
        ({{ percent_of('featured_count::numeric', 'recommended_count') }})::numeric(38, 9) as coverage_pct
    from counted
)

select * from final
