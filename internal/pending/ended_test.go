package pending

import (
	"errors"
	"strconv"
	"testing"
	"time"
)

func (e *Ended[V]) remembered() int { return len(e.ended) + len(e.previous) }

// A login ends once, as long as it could still be pending. It is forgotten
// afterwards, or when too many others ended.
func TestEndedOnce(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	e := NewEnded[int](func() time.Time { return now })
	for _, step := range []struct {
		after      time.Duration
		state      string
		again      bool
		remembered int
	}{
		{0, "a", false, 1},
		{0, "b", false, 2},
		{0, "c", false, 3},
		{0, "a", true, 3},
		{10 * time.Minute, "d", false, 4}, // as old as a pending login can get
		{time.Second, "e", false, 5},
		{0, "d", true, 5},
		{10*time.Minute + time.Second, "f", false, 2},
		{0, "e", true, 2},
		{0, "d", false, 3},
	} {
		now = now.Add(step.after)
		first := false
		_, err := e.Once(step.state, func() (int, error) { first = true; return 1, nil })
		if again := errors.Is(err, ErrEnded); again != step.again || first == again {
			t.Errorf("%s: got finished %t, error %v, want again: %t", step.state, first, err, step.again)
		}
		if got := e.remembered(); got != step.remembered {
			t.Errorf("%s: got %d logins in memory, want %d", step.state, got, step.remembered)
		}
	}
	for i := range 2*maxRemembered + 2 {
		if _, err := e.Once(strconv.Itoa(i), func() (int, error) { return 1, nil }); err != nil {
			t.Fatalf("login %d: got %v, want it to end", i, err)
		}
	}
	if got := e.remembered(); got > 2*maxRemembered {
		t.Errorf("got %d logins in memory, want at most %d", got, 2*maxRemembered)
	}
}

// The result of a login is shared with the callbacks that wait, and then dropped.
func TestEndedKeepsNoValue(t *testing.T) {
	e := NewEnded[*int](time.Now)
	value := new(int)
	started, finish := make(chan bool), make(chan bool)
	first, second := make(chan *int), make(chan *int)
	go func() {
		v, _ := e.Once("a", func() (*int, error) { close(started); <-finish; return value, nil })
		first <- v
	}()
	<-started
	waits := make(chan bool)
	go func() {
		close(waits)
		v, _ := e.Once("a", func() (*int, error) { return nil, errors.New("the second one") })
		second <- v
	}()
	<-waits
	close(finish)
	if got := <-first; got != value {
		t.Errorf("the first callback: got %p, want %p", got, value)
	}
	if got := <-second; got != value && got != nil { // nil: it came after the end
		t.Errorf("the second callback: got %p, want %p", got, value)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, login := range e.ended {
		if login.value != nil {
			t.Error("the value is still in memory")
		}
	}
}
