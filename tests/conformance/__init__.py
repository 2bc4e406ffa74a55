"""scripts/conformance: test suites of others, run against our daemon."""
