package flight

// Waiting returns how many callers wait for the call of a key.
func (g *Group[K, V]) Waiting(key K) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.calls[key]; ok {
		return c.waiting
	}
	return 0
}

// UnderWay returns how many calls are under way.
func (g *Group[K, V]) UnderWay() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.underWay
}
