package jobfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// toYAML writes a JSON text as YAML. JSON is YAML already: only the style is
// changed, so that the order of keys and every number stay as they are.
func toYAML(text []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	plain(&node)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// plain has a node and all in it written as a person would; the encoder quotes
// what would otherwise be read as something else.
func plain(node *yaml.Node) {
	node.Style = 0
	for _, inner := range node.Content {
		plain(inner)
	}
}

// fromYAML reads a YAML text as JSON. Instants and the like are texts.
func fromYAML(text []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	if node.Kind == 0 {
		return []byte("{}"), nil
	}
	w := writer{}
	if err := w.write(&node, 0); err != nil {
		return nil, err
	}
	return w.out.Bytes(), nil
}

// writer writes nodes as JSON, up to a bound: aliases can make much of little.
type writer struct {
	out   bytes.Buffer
	nodes int
}

const (
	maxDepth = 100
	maxNodes = 1_000_000
)

func (w *writer) write(node *yaml.Node, depth int) error {
	if w.nodes++; w.nodes > maxNodes || w.out.Len() > MaxSize {
		return fmt.Errorf("line %d: with its aliases written out, the file has more than %d values or %d bytes", node.Line, maxNodes, MaxSize)
	}
	if depth > maxDepth {
		return fmt.Errorf("line %d: more than %d levels", node.Line, maxDepth)
	}
	switch node.Kind {
	case yaml.DocumentNode:
		return w.write(node.Content[0], depth)
	case yaml.AliasNode:
		return w.write(node.Alias, depth+1)
	case yaml.SequenceNode:
		w.out.WriteByte('[')
		for i, inner := range node.Content {
			if i > 0 {
				w.out.WriteByte(',')
			}
			if err := w.write(inner, depth+1); err != nil {
				return err
			}
		}
		w.out.WriteByte(']')
		return nil
	case yaml.MappingNode:
		return w.mapping(node, depth)
	case yaml.ScalarNode:
		return w.scalar(node)
	default:
		return fmt.Errorf("line %d: not a value", node.Line)
	}
}

func (w *writer) mapping(node *yaml.Node, depth int) error {
	seen := map[string]bool{}
	w.out.WriteByte('{')
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a key must be a text", key.Line)
		}
		if seen[key.Value] {
			return fmt.Errorf("line %d: the key %q stands there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.text(key.Value)
		w.out.WriteByte(':')
		if err := w.write(node.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

func (w *writer) scalar(node *yaml.Node) error {
	switch node.ShortTag() {
	case "!!null":
		w.out.WriteString("null")
	case "!!bool":
		var v bool
		if err := node.Decode(&v); err != nil {
			return err
		}
		fmt.Fprint(&w.out, v)
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			w.out.WriteString(node.Value)
			return nil
		}
		var v any // such as 0x10, which JSON does not have
		if err := node.Decode(&v); err != nil {
			return err
		}
		raw, err := json.Marshal(v)
		if err != nil { // not a number, infinity
			return fmt.Errorf("line %d: %s is no number of JSON", node.Line, node.Value)
		}
		w.out.Write(raw)
	case "!!binary":
		return errors.New("binary values are not supported")
	default:
		w.text(node.Value)
	}
	return nil
}

func (w *writer) text(text string) {
	raw, _ := json.Marshal(text) // a string always encodes
	w.out.Write(raw)
}
