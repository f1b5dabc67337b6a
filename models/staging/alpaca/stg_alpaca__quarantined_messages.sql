with source as (
    select * from {{ source('alpaca', 'quarantine') }}
),

renamed as (
    select
        id as quarantine_id,
        account_name,
        reason_code,
        reason,
        source,
        message,
        received_at,
        quarantined_at
    from source
)

select * from renamed
