package agentconnecttest

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Answer is the answer that an endpoint is about to send. [Tamper.Answer] changes it in
// place.
type Answer struct {
	Status int // 0 means 200
	Header http.Header
	Body   []byte

	// Wait is the time before anything is sent. Like Pause and Hang, it ends when the
	// client leaves or the server closes.
	Wait time.Duration

	// Pause, if it is not zero, sends the body byte by byte, with this pause before
	// each byte.
	Pause time.Duration

	// Hang keeps the connection open and never sends anything.
	Hang bool

	// Truncate announces a longer body than it sends, then closes the connection.
	Truncate bool

	// Redirect, if it is not zero, answers with this redirect status to another address
	// of the provider. A client that follows the redirect gets the answer there, with
	// any method. The address counts as [Elsewhere].
	Redirect int

	// Reset closes the connection at once, with a TCP reset where the connection
	// allows it, instead of sending anything.
	Reset bool
}

func (a *Answer) status() int {
	if a.Status == 0 {
		return http.StatusOK
	}
	return a.Status
}

func (a *Answer) write(status int, contentType string, body []byte) {
	a.Status = status
	a.Header.Set("Content-Type", contentType)
	a.Body = body
}

func (a *Answer) json(status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		a.write(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte(err.Error()))
		return
	}
	a.write(status, "application/json; charset=utf-8", body)
}

func (a *Answer) oauthError(status int, code, description string) {
	a.json(status, Members{{"error", code}, {"error_description", description}})
}

func (a *Answer) seeOther(location string) {
	a.Header.Set("Location", location)
	a.Header.Set("Cache-Control", "no-store")
	a.Status = http.StatusSeeOther
}

// send writes the answer as its fields say. It returns early if the client has left.
func (a *Answer) send(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case a.Wait > 0 && !sleep(r, a.Wait):
		panic(http.ErrAbortHandler)
	}
	if a.Reset {
		reset(w)
		panic(http.ErrAbortHandler)
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	if a.Pause > 0 {
		a.drip(w, r)
		return
	}
	length := len(a.Body)
	if a.Truncate {
		length++ // the server cuts the connection where bytes are missing
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(a.status())
	_, _ = w.Write(a.Body) // the client may have left, or only want the header
}

func (a *Answer) drip(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(a.status())
	flusher := http.NewResponseController(w)
	for i := range a.Body {
		if flusher.Flush() != nil || !sleep(r, a.Pause) {
			panic(http.ErrAbortHandler)
		}
		if _, err := w.Write(a.Body[i : i+1]); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// sleep reports whether the time passed before the client left.
func sleep(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // aborting the handler closes the stream then
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it, the connection ends without a reset
	}
	_ = conn.Close()
}
