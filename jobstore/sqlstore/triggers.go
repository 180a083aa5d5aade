package sqlstore

import (
	"sync"

	"github.com/jobcenter-go/jobcenter/trigger"
)

const defaultTriggerCache = 4096

// triggerCache keeps decoded triggers by their JSON text. Triggers are values
// that do not change, so jobs may share them.
type triggerCache struct {
	mu    *sync.Mutex
	limit int
	byKey map[string]trigger.Trigger
}

func newTriggerCache(limit int) triggerCache {
	if limit == 0 {
		limit = defaultTriggerCache
	}
	return triggerCache{mu: new(sync.Mutex), limit: limit, byKey: map[string]trigger.Trigger{}}
}

func (c *triggerCache) parse(text string) (trigger.Trigger, error) {
	c.mu.Lock()
	found, ok := c.byKey[text]
	c.mu.Unlock()
	if ok {
		return found, nil
	}
	parsed, err := trigger.Parse([]byte(text), nil)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byKey) >= c.limit {
		// Any one will do: what is in use comes back.
		for key := range c.byKey {
			delete(c.byKey, key)
			break
		}
	}
	if c.limit > 0 {
		c.byKey[text] = parsed
	}
	return parsed, nil
}
