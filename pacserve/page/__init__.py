"""The status page: `pacserve.report.status.Status` as a browser shows it.  Rules only."""
