package provider

import (
	"context"
	"net/http"
	"net/url"
)

// A Page is the answer to a browser without cookies.
type Page struct {
	Status   int
	Location *url.URL // nil unless it is a redirect
	Body     []byte
}

// Visit opens a page of the provider. It follows no redirect and accepts any status.
// Its error does not quote the address, which may contain a secret.
func (p *Provider) Visit(ctx context.Context, address string) (*Page, error) {
	const asked = "page"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fail(BadAnswer, asked, "its address is malformed")
	}
	req.Header.Set("Accept", "text/html")
	answer, err := p.send(req, asked, isSecret)
	if err != nil {
		return nil, err
	}
	page := &Page{Status: answer.status, Body: answer.body}
	if location, err := url.Parse(answer.location); err == nil && answer.status/100 == 3 && answer.location != "" {
		page.Location = req.URL.ResolveReference(location)
	}
	return page, nil
}
