package torture

// server is one of the test's own.
type server struct {
	url, address string
}
