package main

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/agentconnect-go/agentconnect"
)

// An official has the picture of the official login button, or the State's design
// system. Both belong to the State, so the operator gets them and accepts their terms of
// use. With neither the button is a text.
type official struct {
	picture      []byte // of BUTTON_IMAGE
	designSystem fs.FS  // of DESIGN_SYSTEM
}

const (
	picturePath      = "/button.svg"
	designSystemPath = "/dsfr/"
	designSystemFile = "dsfr.min.css"
)

// readOfficial reads the file of BUTTON_IMAGE or the directory of DESIGN_SYSTEM.
func readOfficial() (official, error) {
	picture, dir := os.Getenv("BUTTON_IMAGE"), os.Getenv("DESIGN_SYSTEM")
	switch {
	case picture != "" && dir != "":
		return official{}, errors.New("BUTTON_IMAGE and DESIGN_SYSTEM: conflict: the design system has a button of its own")
	case picture != "":
		data, err := os.ReadFile(picture)
		if err != nil {
			return official{}, fmt.Errorf("BUTTON_IMAGE: invalid: %w", err)
		}
		if !strings.Contains(string(data), "<svg") {
			return official{}, fmt.Errorf("BUTTON_IMAGE: invalid: %s is no SVG picture", picture)
		}
		return official{picture: data}, nil
	case dir != "":
		files := os.DirFS(dir)
		if _, err := fs.Stat(files, designSystemFile); err != nil {
			return official{}, fmt.Errorf("DESIGN_SYSTEM: invalid: %s has no %s", dir, designSystemFile)
		}
		return official{designSystem: files}, nil
	}
	return official{}, nil
}

// styleSheet returns the style sheet of the button.
func (o official) styleSheet() string {
	if o.designSystem != nil {
		return designSystemPath + designSystemFile
	}
	return "/agentconnect.css"
}

// policy allows our style sheet and pictures, and those of the design system, some of
// which are in its style sheet. It has no form-action: Chromium applies that to every
// redirect after a form. The login and the logout redirect to the provider and to the
// agents' administrations, whose addresses cannot be listed.
func (o official) policy() string {
	pictures := "img-src 'self'"
	if o.designSystem != nil {
		pictures = "img-src 'self' data:; font-src 'self'"
	}
	return "default-src 'none'; style-src 'self'; " + pictures + "; base-uri 'none'; frame-ancestors 'none'"
}

// button returns the login button, which comes back to the home page.
func (o official) button(auth *agentconnect.Authenticator, lang string) template.HTML {
	options := agentconnect.ButtonOptions{Lang: lang}
	if o.picture != nil {
		options.Image = picturePath
	}
	return auth.Button(options)
}

// files serves the design system. There are no lists of files.
func (o official) files(notFound http.HandlerFunc) http.HandlerFunc {
	files := http.StripPrefix(designSystemPath, http.FileServerFS(o.designSystem))
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			notFound(w, r)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		files.ServeHTTP(w, r)
	}
}
