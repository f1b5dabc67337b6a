select
    symbol_id,
    symbol,
    ticker,
    case when asset_class = 'us_option' then symbol end as option_symbol,
    case asset_class
        when 'us_option' then option_type
        when 'crypto' then 'CRYPTO'
        else 'STOCK'
    end as instrument_type,
    case asset_class
        when 'us_option' then 'option'
        when 'crypto' then 'crypto'
        else 'stock'
    end as asset_type,
    multiplier,
    strike_price,
    expiration_date
from {{ source('alpaca', 'instruments') }}
