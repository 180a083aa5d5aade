package jobcenter

import (
	"fmt"
	"sync"
)

// DefaultPoolSize is how many runs the default executor carries out at once.
const DefaultPoolSize = 20

// Pool is an Executor that carries out each run in a goroutine of its own.
type Pool struct {
	mu   sync.Mutex
	free int
}

// NewPool makes a pool that carries out up to size runs at once. The size
// must be at least 1.
func NewPool(size int) (*Pool, error) {
	if size < 1 {
		return nil, fmt.Errorf("jobcenter: pool size %d, must be at least 1", size)
	}
	return &Pool{free: size}, nil
}

// Reserve implements Executor.
func (p *Pool) Reserve(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = max(0, min(n, p.free))
	p.free -= n
	return n
}

// Release implements Executor.
func (p *Pool) Release(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free += n
}

// Execute implements Executor.
func (p *Pool) Execute(work, freed func()) {
	go func() {
		defer freed()
		defer p.Release(1)
		work()
	}()
}
