with source as (
    select * from {{ source('alpaca', 'marks') }}
),

renamed as (
    select
        symbol_id,
        price,
        bid,
        ask,
        is_usable,
        ts as observed_at
    from source
)

select * from renamed
