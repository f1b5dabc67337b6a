-- Its trades were recorded since: the fills tell what happened, the guess goes.
delete from raw.openings
where account_name = %(account)s and symbol = %(symbol)s;
