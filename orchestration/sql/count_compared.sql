select
    (
        select count(*) from kept_positions
        where not exists (
            select from arrived
            where
                coalesce(arrived.account_name, kept ->> 'account_name') = kept ->> 'account_name'
                and arrived.symbol = coalesce(kept ->> 'option_symbol', kept ->> 'ticker')
        )
    ) as compared_count,
    (select count(*) from arrived) as arrived_count
