package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
)

// update carries out the updates of a command one by one.
//
// FerretDB has the database look for a document by its id alone; with any
// further condition it reads all there are. So one that has an id and values that
// other fields must have, which is what optimistic locking asks for, is done
// in two steps: get the document, compare, update by the id.
func update(server io.ReadWriter, command bson.D) (reply bson.D, err error) {
	updates, ok := lookup(command, "updates").(bson.A)
	if !ok {
		return nil, errors.New("an update without updates")
	}
	var n, modified int32
	var upserted, failed bson.A
	for i, u := range updates {
		answer, err := updateOne(server, command, u)
		if err != nil {
			return nil, err
		}
		if answer == nil {
			continue
		}
		if ok, _ := lookup(answer, "ok").(float64); ok != 1 {
			return answer, nil
		}
		matched, _ := lookup(answer, "n").(int32)
		changed, _ := lookup(answer, "nModified").(int32)
		n, modified = n+matched, modified+changed
		upserted = append(upserted, numbered(answer, "upserted", i)...)
		failed = append(failed, numbered(answer, "writeErrors", i)...)
		if ordered, given := lookup(command, "ordered").(bool); len(failed) > 0 && (ordered || !given) {
			break
		}
	}
	reply = bson.D{{Key: "n", Value: n}, {Key: "nModified", Value: modified}}
	if len(upserted) > 0 {
		reply = append(reply, bson.E{Key: "upserted", Value: upserted})
	}
	if len(failed) > 0 {
		reply = append(reply, bson.E{Key: "writeErrors", Value: failed})
	}
	return append(reply, bson.E{Key: "ok", Value: 1.0}), nil
}

// updateOne carries out one update; no answer means that nothing matched.
func updateOne(server io.ReadWriter, command bson.D, u any) (bson.D, error) {
	raw, err := bson.Marshal(u)
	if err != nil {
		return nil, err
	}
	var one bson.D
	if err := bson.Unmarshal(raw, &one); err != nil {
		return nil, err
	}
	if id, rest, ok := equalities(bson.Raw(raw).Lookup("q")); ok {
		there, err := matches(server, command, id, rest)
		if err != nil || !there {
			return nil, err
		}
		for i := range one {
			if one[i].Key == "q" {
				one[i].Value = bson.D{{Key: "_id", Value: id}}
			}
		}
	}
	return run(server, bson.D{
		command[0], {Key: "updates", Value: bson.A{one}}, {Key: "$db", Value: lookup(command, "$db")},
	})
}

// equalities takes apart a filter that is an id and further values.
func equalities(filter bson.RawValue) (id string, rest []bson.RawElement, ok bool) {
	doc, ok := filter.DocumentOK()
	if !ok {
		return "", nil, false
	}
	fields, err := doc.Elements()
	if err != nil || len(fields) < 2 {
		return "", nil, false
	}
	for _, field := range fields {
		if text, isText := field.Value().StringValueOK(); field.Key() == "_id" && isText {
			id, ok = text, true
			continue
		}
		_, isDoc := field.Value().DocumentOK()
		_, isArray := field.Value().ArrayOK()
		if isDoc || isArray || field.Key() == "_id" || strings.ContainsAny(field.Key(), "$.") {
			return "", nil, false
		}
		rest = append(rest, field)
	}
	return id, rest, ok && id != ""
}

// matches reports whether there is a document of an id with these values.
func matches(server io.ReadWriter, command bson.D, id string, fields []bson.RawElement) (bool, error) {
	answer, err := run(server, bson.D{
		{Key: "find", Value: command[0].Value}, {Key: "filter", Value: bson.D{{Key: "_id", Value: id}}}, {Key: "$db", Value: lookup(command, "$db")},
	})
	if err != nil {
		return false, err
	}
	raw, err := bson.Marshal(answer)
	if err != nil {
		return false, err
	}
	doc, ok := bson.Raw(raw).Lookup("cursor", "firstBatch", "0").DocumentOK()
	if !ok {
		return false, nil
	}
	for _, field := range fields {
		if !doc.Lookup(field.Key()).Equal(field.Value()) {
			return false, nil
		}
	}
	return true, nil
}

// createIndexes makes the unique ones of indexes, one by one. The others
// FerretDB uses for nothing, and takes most of its time to maintain; and it
// panics over a list of which several are there already.
func (p *proxy) createIndexes(ctx context.Context, server io.ReadWriter, command bson.D) (answer bson.D, err error) {
	indexes, ok := lookup(command, "indexes").(bson.A)
	if !ok {
		return nil, errors.New("indexes without a list")
	}
	database, _ := lookup(command, "$db").(string)
	collection, _ := command[0].Value.(string)
	// That it is there already is no error of ours.
	if _, err := run(server, bson.D{{Key: "create", Value: collection}, {Key: "$db", Value: database}}); err != nil {
		return nil, err
	}
	answer = bson.D{{Key: "ok", Value: 1.0}}
	for _, index := range indexes {
		spec, _ := index.(bson.D)
		if unique, _ := lookup(spec, "unique").(bool); !unique {
			continue
		}
		answer, err = run(server, bson.D{command[0], {Key: "indexes", Value: bson.A{index}}, {Key: "$db", Value: database}})
		if done, _ := lookup(answer, "ok").(float64); err != nil || done != 1 {
			return answer, err
		}
	}
	return answer, p.indexIDs(ctx, database, collection)
}

// indexIDs makes the index of a collection's ids that FerretDB's statements
// can use: it asks for them by another expression than it has indexed.
func (p *proxy) indexIDs(ctx context.Context, database, collection string) (err error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.data, database+".sqlite")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var table string
	if err := db.QueryRowContext(ctx, "SELECT table_name FROM _ferretdb_collections WHERE name = ?", collection).Scan(&table); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %q ON %q (_ferretdb_sjson->'$._id')", table+"_by_id", table))
	return err
}

// run asks the server for something of our own.
func run(server io.ReadWriter, command bson.D) (bson.D, error) {
	request, err := message(0, command)
	if err != nil {
		return nil, err
	}
	answer, err := ask(server, request)
	if err != nil {
		return nil, err
	}
	return commandOf(answer)
}

// numbered is a list in an answer, its elements by their number in the command.
func numbered(answer bson.D, name string, index int) bson.A {
	list, _ := lookup(answer, name).(bson.A)
	for i := range list {
		if element, ok := list[i].(bson.D); ok {
			for j := range element {
				if element[j].Key == "index" {
					element[j].Value = int32(index)
				}
			}
		}
	}
	return list
}
