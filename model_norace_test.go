//go:build !race

package jobcenter_test

// raceDetector says that tests are some ten times slower.
const raceDetector = false
