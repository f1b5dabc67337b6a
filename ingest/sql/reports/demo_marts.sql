-- One number for everything in the two marts: equal before and after where nothing moved.
select
    (select sum(hashtextextended(history::text, 0)::numeric) from analytics.position_history as history)
    + (select sum(hashtextextended(stats::text, 0)::numeric) from analytics.strategy_stats as stats) as fingerprint;
