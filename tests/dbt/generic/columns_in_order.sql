{#
    Fails with every place at which the relation's first columns, as the database has
    them, are not the expected ones. Further columns may follow.
#}
{% test columns_in_order(model, columns) %}
{{ columns_out_of_order(columns, adapter.get_columns_in_relation(model) | map(attribute="name") | list) }}
{% endtest %}
