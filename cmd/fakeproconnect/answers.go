package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// answersMax bounds the list of the last answers.
const answersMax = 50

// answer is one answer of the provider, without any secret.
type answer struct {
	Time   time.Time
	Method string
	Path   string
	Status int
	Error  string // the error that the application got, or the code of the page
}

// answers are the last answers, the newest first.
type answers struct {
	mu   sync.Mutex
	last []answer
}

func (a *answers) add(one answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = slices.Insert(a.last, 0, one)
	a.last = a.last[:min(len(a.last), answersMax)]
}

func (a *answers) list() []answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.last)
}

// record remembers an answer of the provider.
func (a *answers) record(provider http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		noted := &notingWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			a.add(answer{began, r.Method, shortened(r.URL.Path), noted.status, errorIn(noted.Header().Get("Location"))})
		}()
		provider.ServeHTTP(noted, r)
	})
}

// shortened removes the id of a login from a path.
func shortened(path string) string {
	if before, _, ok := strings.Cut(path, "/interaction/"); ok {
		return before + "/interaction/…"
	}
	return path
}

// errorIn returns the error that a redirect brings to the application.
func errorIn(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	q := u.Query()
	return strings.Join(slices.DeleteFunc([]string{q.Get("error"), q.Get("error_description")}, func(s string) bool { return s == "" }), ": ")
}

// notingWriter remembers the status.
type notingWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *notingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *notingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
