with interpreted as (
    {{ interpreted_broker_events() }}
)

select * from interpreted
