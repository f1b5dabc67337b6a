-- Run by the postgres image when its volume is new: Dagster's runs and events.
create database dagster;
