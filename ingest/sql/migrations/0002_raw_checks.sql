-- Values that later steps rely on. NOT VALID first, then validated: on a table with
-- rows the first step takes no long lock, and the second tells which rule is broken.

alter table raw.fills add constraint fills_side_known
check (side in ('buy', 'sell')) not valid;
alter table raw.fills add constraint fills_kind_known
check (kind in ('fill', 'bust', 'correct')) not valid;
alter table raw.fills add constraint fills_qty_positive
check (qty > 0) not valid;
alter table raw.fills add constraint fills_supersedes_given
check ((kind = 'fill') = (supersedes is null)) not valid;
alter table raw.instruments add constraint instruments_asset_class_known
check (asset_class in ('us_equity', 'us_option', 'crypto')) not valid;
alter table raw.instruments add constraint instruments_option_parts_given
check ((asset_class = 'us_option') = (option_type is not null and strike_price is not null and expiration_date is not null)) not valid;
alter table raw.marks add constraint marks_usable_has_price
check (is_usable = (price > 0));
alter table raw.dispatch_recommendations add constraint dispatch_recommendations_strategy_type_known
check (strategy_type in ('day_trade', 'swing_trade', 'conservative')) not valid;
alter table raw.dispatch_executions add constraint dispatch_executions_strategy_type_known
check (strategy_type in ('day_trade', 'swing_trade', 'conservative')) not valid;
alter table raw.dispatch_executions add constraint dispatch_executions_intent_known
check (intent in ('entry', 'exit')) not valid;

alter table raw.fills validate constraint fills_side_known;
alter table raw.fills validate constraint fills_kind_known;
alter table raw.fills validate constraint fills_qty_positive;
alter table raw.fills validate constraint fills_supersedes_given;
alter table raw.instruments validate constraint instruments_asset_class_known;
alter table raw.instruments validate constraint instruments_option_parts_given;
alter table raw.dispatch_recommendations validate constraint dispatch_recommendations_strategy_type_known;
alter table raw.dispatch_executions validate constraint dispatch_executions_strategy_type_known;
alter table raw.dispatch_executions validate constraint dispatch_executions_intent_known;
