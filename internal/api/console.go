package api

import (
	"bytes"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Console serves the files of the console. Those under assets carry their
// content in their name and are kept by browsers for ever; every other path
// is one of the console's own, answered with its page. Files that lie there
// compressed, too (.br, .gz), are sent so to browsers that take it.
func Console(files fs.FS, page []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, "method not allowed\n")
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		switch {
		case strings.HasPrefix(name, "assets/"):
			if !serveFile(w, r, files, name, "public, max-age=31536000, immutable") {
				plain(w, http.StatusNotFound, "not found\n")
			}
		case path.Ext(name) != "" && name != "index.html" && serveFile(w, r, files, name, "no-cache"):
		case wantsPage(r):
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
		default:
			plain(w, http.StatusNotFound, "not found\n")
		}
	})
}

// wantsPage reports whether a client asked for something to show.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return accept == "" || strings.Contains(accept, "text/html") || strings.Contains(accept, "*/*")
}

// serveFile serves a file, if it is there, in the best form that the client takes.
func serveFile(w http.ResponseWriter, r *http.Request, files fs.FS, name, cache string) bool {
	info, err := fs.Stat(files, name)
	if err != nil || info.IsDir() {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", cache)
	h.Add("Vary", "Accept-Encoding")
	for _, form := range []struct{ encoding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !accepts(r, form.encoding) {
			continue
		}
		if data, err := fs.ReadFile(files, name+form.suffix); err == nil {
			h.Set("Content-Encoding", form.encoding)
			h.Set("Content-Length", strconv.Itoa(len(data)))
			_, _ = w.Write(data) //nolint:gosec // G705: a file of the console; an error means that the client has gone
			return true
		}
	}
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return false
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return true
}

// contentType does not ask the system, whose tables differ.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	case ".ico":
		return "image/x-icon"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// accepts reports whether a client takes an encoding.
func accepts(r *http.Request, encoding string) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(header, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.EqualFold(strings.TrimSpace(name), encoding) {
				q := strings.TrimSpace(params)
				return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
			}
		}
	}
	return false
}
