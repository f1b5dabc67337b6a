{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        pre_hook='{{ note_own_decisions(this) }}'
    )
}}

-- depends_on: {{ ref('int_builds__scoped') }}
with decisions as (
    {{ own_decisions() }}
),

seen as (
    select * from decisions
    where {{ reads_own_decisions() }}
)

select * from seen
