"""The status page: what people see of `pacserve.report.status.Status` in a browser.  Rules only."""
