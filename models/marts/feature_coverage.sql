with positions as (
    select * from {{ ref('int_positions__described') }}
    -- Nobody saw when, nor why, the others were opened.
    where not is_opening_synthetic
),

-- Asked for once more, so that features that are lost on the way to the position show
-- as neither featured nor missing.
recommendations as (
    select * from {{ ref('stg_dispatch__recommendations') }}
),

counted as (
    select
        {{ trading_date('positions.opened_at') }} as trading_date,
        positions.account_name,
        count(*) as opened_count,
        count(positions.execution_uuid) as dispatched_count,
        count(positions.recommendation_id) as recommended_count,
        count(positions.entry_features_json) filter (where positions.recommendation_id is not null) as featured_count,
        count(positions.recommendation_id) filter (where recommendations.features_json is null)
            as missing_snapshot_count
    from positions
    left join recommendations on positions.recommendation_id = recommendations.recommendation_id
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
        ({{ percent_of('featured_count::numeric', 'recommended_count') }})::numeric(38, 9) as coverage_pct,
        missing_snapshot_count
    from counted
)

select * from final
