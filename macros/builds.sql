{#
    A build derives again what changed since the last one that was finished: lanes, and
    positions within and beside them. `int_builds__scoped` tells whether that is
    everything; the rows of the models of `follows_changes()` outlive it.
#}

{# The models whose rows outlive a build: a change is done with when all have seen it. #}
{% macro follows_changes() -%}
    {%- set names = [] -%}
    {%- for node in graph.get('nodes', {}).values() if node.resource_type == 'model' and node.config.get('meta', {}).get('follows_changes') -%}
        {%- do names.append(node.name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{#
    What the last build left of a model, or none: ref() would be a cycle where the model
    itself depends on the one that asks.
#}
{% macro last_built(name) -%}
    {%- set node = graph.get('nodes', {}).get('model.excursion.' ~ name) -%}
    {{ return(adapter.get_relation(target.dbname, node.schema, node.alias) if node else none) }}
{%- endmacro %}

{#
    Whether this build derives everything, as int_builds__scoped found at its start. Not in a
    run without that one: the rows to derive from would be those of no build. A model asks at
    several places, and the database once.
#}
{% macro is_full_build() -%}
    {%- if not execute -%}{{ return(true) }}{%- endif -%}
    {%- set answer = load_result('is_full_build') -%}
    {%- if answer is none -%}
        {%- set scope = last_built('int_builds__scoped') -%}
        {%- if scope is none -%}{{ return(true) }}{%- endif -%}
        {%- call statement('is_full_build', fetch_result=True) -%}
            select is_full and invocation_id = '{{ invocation_id }}' from {{ scope }}
        {%- endcall -%}
        {%- set answer = load_result('is_full_build') -%}
    {%- endif -%}
    {#- Who loads a result takes it away. -#}
    {%- do store_result('is_full_build', answer.response, answer.table) -%}
    {%- set rows = answer.table.rows -%}
    {{ return(rows | length > 0 and rows[0][0]) }}
{%- endmacro %}

{#
    Whether a model derives some of its rows again, and the others stand. While dbt parses,
    yes: it then sees the references of that branch; those of the other stand elsewhere too.
#}
{% macro derives_some() -%}
    {%- if not execute -%}{{ return(true) }}{%- endif -%}
    {{ return(is_incremental() and not is_full_build()) }}
{%- endmacro %}

{#
    To stand in a model that keeps rows of earlier builds. Stops the run where it would be
    made anew from the few rows of a build that is not full: it would lose all others.
#}
{% macro require_full_build() -%}
    {%- if execute and not is_incremental() and not is_full_build() and model.resource_type == 'model' -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ' cannot be built anew by itself: run dbt build --full-refresh without --select'
        ) }}
    {%- endif -%}
{%- endmacro %}

{#
    Stops a run that began a build after which another one began: they would replace each
    other's rows.
#}
{% macro require_newest_build() -%}
    {%- set scope = last_built('int_builds__scoped') -%}
    {%- if execute and scope is not none -%}
        {%- set later = run_query(
            "select 1 from " ~ scope ~ " where '" ~ invocation_id ~ "' = any(earlier_invocation_ids)"
        ).rows -%}
        {%- if later -%}
            {{ exceptions.raise_compiler_error(
                'another dbt build began while this one ran, and has taken over its changes: let that one end'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#
    The last step (post_hook) of a model that follows changes: it has seen what the build
    claimed. When all of them have, in one run and so in the order of their dependencies, and
    nothing that they read was left out of it, the changes are taken off with it; until then
    the next build takes them up again.
#}
{% macro saw_changes(name) -%}
    {%- set scope = last_built('int_builds__scoped') -%}
    {%- if not execute or scope is none -%}{{ return('') }}{%- endif -%}
    {%- set rows = run_query(
        "update " ~ scope ~ " set models_built = array_append(models_built, '" ~ name ~ "')"
        ~ " where invocation_id = '" ~ invocation_id ~ "' returning array_to_string(models_built, ' ')"
    ).rows -%}
    {%- set built = rows[0][0].split(' ') if rows else [] -%}
    {%- for follower in follows_changes() if follower not in built -%}
        {{ return('') }}
    {%- endfor -%}
    {%- for node in graph.nodes.values() if node.unique_id not in selected_resources -%}
        {%- if node.resource_type == 'model' and node.config.materialized == 'incremental' and 'intermediate' in node.fqn -%}
            {{ return('') }}
        {%- endif -%}
    {%- endfor -%}
    select raw.forget_claimed_changes();
    update {{ scope }} set is_full = false;
    truncate
        {{ last_built('int_lanes__touched') }},
        {{ last_built('int_positions__replaced') }},
        {{ last_built('int_positions__touched') }},
        {{ last_built('int_leg_days__touched') }},
        {{ last_built('int_positions__derived') }}
{%- endmacro %}

{#
    To stand in a model that reads marks of leg_days, a relation of the columns of
    int_leg_days__touched. Stops the run where marks of these days were archived: extremes
    that were derived from them would shrink.
#}
{% macro require_marks(leg_days) -%}
    {%- if execute and model.resource_type == 'model' and load_relation(leg_days) is not none -%}
        {%- set archived = run_query(
            "select min(archived.utc_day)::text, count(distinct leg_days.position_id) from " ~ leg_days ~ " as leg_days"
            ~ " inner join " ~ source('alpaca', 'archived_marks')
            ~ " as archived on leg_days.observed_date = archived.utc_day"
        ).rows[0] -%}
        {%- if archived[1] -%}
            {{ exceptions.raise_compiler_error(
                archived[1] ~ ' position(s) must be derived from archived marks, the first of ' ~ archived[0]
                ~ ': bring the days back with excursion maintain --restore FILE'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
