"""Pure rules of HTTP: ranges, validators, dates, Via."""
