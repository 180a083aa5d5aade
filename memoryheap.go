package jobcenter

import "container/heap"

// placed is an item that notes its place in a heap: 1 + its index, 0 while it
// is in none.
type placed interface{ place() *int }

// leastFirst keeps the least of its items at hand.
type leastFirst[T placed] struct {
	less  func(a, b T) bool
	items []T
}

// put adds an item or, when it is there already, moves it to where it belongs now.
func (h *leastFirst[T]) put(item T) {
	if at := *item.place(); at > 0 {
		heap.Fix(h, at-1)
	} else {
		heap.Push(h, item)
	}
}

// drop removes an item, if it is there.
func (h *leastFirst[T]) drop(item T) {
	if at := *item.place(); at > 0 {
		heap.Remove(h, at-1)
	}
}

// Len, Less, Swap, Push and Pop implement heap.Interface.

func (h *leastFirst[T]) Len() int           { return len(h.items) }
func (h *leastFirst[T]) Less(i, j int) bool { return h.less(h.items[i], h.items[j]) }

func (h *leastFirst[T]) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	*h.items[i].place(), *h.items[j].place() = i+1, j+1
}

func (h *leastFirst[T]) Push(item any) {
	h.items = append(h.items, item.(T))
	*item.(T).place() = len(h.items)
}

func (h *leastFirst[T]) Pop() any {
	last := len(h.items) - 1
	item := h.items[last]
	var none T
	h.items[last] = none
	h.items = h.items[:last]
	*item.place() = 0
	return item
}

// shelf keeps items in the order in which they came, so that a reader can go
// through them a stretch at a time while others come and go.
type shelf[T any] struct {
	items []*T // nil where one is gone
	gone  int
	moves int // how often the items were moved together
}

// stretch is how many items a list looks at before it lets others at the store.
const stretch = 1000

func (s *shelf[T]) add(item *T) (place int) {
	s.items = append(s.items, item)
	return len(s.items) - 1
}

// remove takes away the item at a place; moved is told the new places of the
// others, if they have to move.
func (s *shelf[T]) remove(place int, moved func(item *T, place int)) {
	s.items[place] = nil
	if s.gone++; s.gone < stretch || s.gone < len(s.items)/2 {
		return
	}
	kept := s.items[:0]
	for _, item := range s.items {
		if item != nil {
			moved(item, len(kept))
			kept = append(kept, item)
		}
	}
	clear(s.items[len(kept):])
	s.items = kept
	s.gone, s.moves = 0, s.moves+1
}
