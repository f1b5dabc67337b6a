delete from raw.quarantine where id = %s;
