// Command report reads what "go test -v -bench ." of this module printed, from
// the files named or from standard input, and writes the report as Markdown.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"os"
	"strings"
)

func main() {
	jsonFile := flag.String("json", "", "write the report to this `file` as JSON too")
	flag.Parse()
	if err := run(flag.Args(), *jsonFile); err != nil {
		log.Fatal(err)
	}
}

func run(files []string, jsonFile string) error {
	var text strings.Builder
	if len(files) == 0 {
		if _, err := io.Copy(&text, os.Stdin); err != nil {
			return err
		}
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text.Write(data)
	}
	r, err := parse(text.String())
	if err != nil {
		return err
	}
	if jsonFile != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, append(data, '\n'), 0o600); err != nil {
			return err
		}
	}
	_, err = os.Stdout.WriteString(r.markdown())
	return err
}
