// Package bench measures JobCenter side by side with its peers. It is a module
// of its own, so that the peers stay out of the dependencies of JobCenter.
//
//	cd bench
//	go test -v -bench . -benchtime 200ms -count 5 -timeout 60m . > next.txt
//	go run ./report -json next.json next.txt > next.md
//
// What go test prints holds all that the report says: times, answers and
// versions; -v is needed for the last two.
package bench
