{#
    A table: the planner does not know that each look-up reads the partitions of a
    minute only, and beside the cost that it expects of them all, joins of this with
    other models looked free, so that it looped over all pairs of positions.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        indexes=[{'columns': ['position_id']}],
        post_hook='analyze {{ this }}'
    )
}}

with positions as (
    select * from {{ ref('int_positions__derived') }}
),

quoted as (
    {{ quoted_positions('positions') }}
)

select * from quoted
