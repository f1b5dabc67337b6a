-- Messages about these orders that were refused because of another execution.
select id, message
from raw.quarantine
where
    reason_code = 'contradicts_stored_fill'
    and lower(message) like any(%(order_ids)s)
order by id;
