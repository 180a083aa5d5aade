package sqlstore

import (
	"fmt"
	"testing"
)

func TestTriggerCacheIsBounded(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{3: 3, -1: 0, 0: 10} {
		cache := newTriggerCache(limit)
		for range 2 {
			for minute := range 10 {
				text := fmt.Sprintf(`{"type":"cron","minute":"%d"}`, minute)
				first, err := cache.parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := cache.parse(text); err != nil || limit >= 0 && again != first {
					t.Errorf("limit %d: decoded %s anew (%v)", limit, text, err)
				}
			}
		}
		if got := len(cache.byKey); got != want {
			t.Errorf("limit %d: %d triggers are kept, want %d", limit, got, want)
		}
	}
}
