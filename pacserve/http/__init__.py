"""Rules of HTTP without input or output: ranges, validators, dates, Via."""
