with positions as (
    select * from {{ ref('int_positions__derived') }}
),

dispatched as (
    select * from {{ ref('int_positions__dispatched') }}
),

quoted as (
    select * from {{ ref('int_positions__quoted') }}
),

described as (
    {{ described_positions('positions', 'dispatched', 'quoted') }}
)

select * from described
