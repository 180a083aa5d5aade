// Package torture holds one test: schedulers that share a store are killed,
// stopped and cut off while thousands of jobs fire, and afterwards every row of
// the ledger must be true. docs/torture.md tells how it works.
package torture
