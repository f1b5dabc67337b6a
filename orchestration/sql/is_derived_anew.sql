-- One row: whether the last build of the position models derived everything.
select has_derived_all as is_derived_anew
from analytics_intermediate.int_builds__scoped
