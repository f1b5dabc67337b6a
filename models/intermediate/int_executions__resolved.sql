with resolved as (
    {{ resolved_executions() }}
)

select * from resolved
