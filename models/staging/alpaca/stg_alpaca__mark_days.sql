select mark_days.observed_date
from raw.mark_days() as mark_days (observed_date)
