package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"go.mongodb.org/mongo-driver/bson"
)

// proxy carries messages between clients and a server, those that write to
// the same database one after the other.
type proxy struct {
	server string // a socket
	data   string // the folder of the server's data

	mu    sync.Mutex
	locks map[string]*sync.Mutex // by database
}

func newProxy(server, data string) *proxy {
	return &proxy{server: server, data: data, locks: map[string]*sync.Mutex{}}
}

func (p *proxy) serve(ctx context.Context, listener net.Listener) error {
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = client.Close() }()
			server, err := (&net.Dialer{}).DialContext(ctx, "unix", p.server)
			if err != nil {
				return
			}
			defer func() { _ = server.Close() }()
			for err == nil {
				err = p.exchange(ctx, client, server)
			}
		}()
	}
}

// exchange carries one request and its answer.
func (p *proxy) exchange(ctx context.Context, client, server io.ReadWriter) error {
	request, err := readMessage(client)
	if err != nil {
		return err
	}
	answer, err := p.answer(ctx, server, request)
	if err != nil {
		return err
	}
	_, err = client.Write(answer)
	return err
}

// answer has the server answer a request, while nobody else writes if it does.
func (p *proxy) answer(ctx context.Context, server io.ReadWriter, request []byte) ([]byte, error) {
	command, err := commandOf(request)
	if err != nil {
		return ask(server, request) // not of the kind that writes
	}
	switch command[0].Key {
	case "insert", "update", "delete", "findAndModify", "createIndexes", "create", "drop", "dropDatabase":
	default:
		return ask(server, request)
	}
	database, _ := lookup(command, "$db").(string)
	lock := p.lock(database)
	lock.Lock()
	defer lock.Unlock()
	var reply bson.D
	switch command[0].Key {
	case "update":
		reply, err = update(server, command)
	case "createIndexes":
		reply, err = p.createIndexes(ctx, server, command)
	default:
		return ask(server, request)
	}
	if err != nil {
		return nil, err
	}
	return message(binary.LittleEndian.Uint32(request[4:]), reply)
}

// lock is what must be held to write to a database.
func (p *proxy) lock(database string) *sync.Mutex {
	p.mu.Lock()
	defer p.mu.Unlock()
	lock := p.locks[database]
	if lock == nil {
		lock = &sync.Mutex{}
		p.locks[database] = lock
	}
	return lock
}

// ask sends a message and returns the answer.
func ask(server io.ReadWriter, request []byte) ([]byte, error) {
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	return readMessage(server)
}

// The wire protocol: a header of four numbers, which are the length of the
// message, its number, that of the one it answers, and its kind. Of the kind
// opMsg, flags follow, and sections: a document, the command; and lists of
// documents that belong into it by name.
const (
	headerSize = 16
	opMsg      = 2013
	maxMessage = 48_000_000
)

var errNoCommand = errors.New("no command")

func readMessage(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(size[:])
	if length < headerSize || length > maxMessage {
		return nil, fmt.Errorf("message of %d bytes", length)
	}
	message := make([]byte, length)
	copy(message, size[:])
	_, err := io.ReadFull(r, message[len(size):])
	return message, err
}

// message makes one of a command or an answer.
func message(answers uint32, body any) ([]byte, error) {
	doc, err := bson.Marshal(body)
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerSize+5, headerSize+5+len(doc))
	binary.LittleEndian.PutUint32(b, uint32(cap(b)))
	binary.LittleEndian.PutUint32(b[8:], answers)
	binary.LittleEndian.PutUint32(b[12:], opMsg)
	return append(b, doc...), nil
}

// commandOf takes the command out of a message, with the lists in it.
func commandOf(message []byte) (bson.D, error) {
	if len(message) < headerSize+5 || binary.LittleEndian.Uint32(message[12:]) != opMsg {
		return nil, errNoCommand
	}
	rest := message[headerSize+4:]
	var command bson.D
	lists := map[string]bson.A{}
	for len(rest) > 0 {
		kind := rest[0]
		rest = rest[1:]
		switch kind {
		case 0:
			doc, after, err := document(rest)
			if err != nil {
				return nil, err
			}
			if err := bson.Unmarshal(doc, &command); err != nil {
				return nil, err
			}
			rest = after
		case 1:
			section, after, err := document(rest) // its length is given in the same way
			if err != nil {
				return nil, err
			}
			name, docs, ok := cutString(section[4:])
			if !ok {
				return nil, errNoCommand
			}
			for len(docs) > 0 {
				var doc bson.Raw
				if doc, docs, err = document(docs); err != nil {
					return nil, err
				}
				lists[name] = append(lists[name], doc)
			}
			rest = after
		default:
			return nil, errNoCommand
		}
	}
	for name, list := range lists {
		command = append(command, bson.E{Key: name, Value: list})
	}
	if len(command) == 0 {
		return nil, errNoCommand
	}
	return command, nil
}

// document cuts the first one off. It begins with its length.
func document(b []byte) (doc bson.Raw, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errNoCommand
	}
	length := binary.LittleEndian.Uint32(b)
	if length < 4 || uint64(length) > uint64(len(b)) {
		return nil, nil, errNoCommand
	}
	return bson.Raw(b[:length]), b[length:], nil
}

// cutString cuts a string off that ends with a zero.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	for i, c := range b {
		if c == 0 {
			return string(b[:i]), b[i+1:], true
		}
	}
	return "", nil, false
}

func lookup(d bson.D, name string) any {
	for _, e := range d {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}
