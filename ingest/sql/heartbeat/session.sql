-- The heartbeat's session: it waits for nothing long, and the server notices within
-- half a minute that its client is gone without a word.
select
    set_config('statement_timeout', '5s', false),
    set_config('lock_timeout', '2s', false),
    set_config('tcp_keepalives_idle', '10', false),
    set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('tcp_user_timeout', '20000', false)
