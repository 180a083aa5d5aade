package api

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/jobcenter-go/jobcenter"
)

// A command that changes streams at every byte must not make the store be
// asked for each of them when one stream is left out.
func TestOneStreamOfManyIsReadInPieces(t *testing.T) {
	t.Parallel()
	const size, gapFrom, gapTo, piece = 20_000, 10_000, 12_000, 1000
	var chunks []jobcenter.Chunk
	var want []byte
	for at := range int64(size) {
		if at == gapFrom {
			want = append(want, "\n[… 2000 bytes not kept …]\n"...)
		}
		if at >= gapFrom && at < gapTo {
			continue
		}
		chunk := jobcenter.Chunk{Offset: at, Stream: jobcenter.Stdout, Data: []byte{byte('a' + at%26)}}
		if at%2 == 0 {
			chunk.Stream = jobcenter.Stderr
			want = append(want, chunk.Data...)
		}
		chunks = append(chunks, chunk)
	}
	reads := 0
	reader := &outputReader{ctx: context.Background(), stream: jobcenter.Stderr, read: func(offset int64) ([]jobcenter.Chunk, error) {
		reads++
		i := 0
		for i < len(chunks) && chunks[i].Offset < offset {
			i++
		}
		return chunks[i:min(i+piece, len(chunks))], nil
	}}
	if err := reader.survey(jobcenter.Run{State: jobcenter.RunRunning}); err != nil {
		t.Fatal(err)
	}
	chunks = append(chunks, jobcenter.Chunk{Offset: size, Stream: jobcenter.Stderr, Data: []byte("since the survey")})
	reads = 0
	text, err := io.ReadAll(reader)
	if err != nil || !bytes.Equal(text, want) {
		t.Fatalf("read %d bytes, %v, want %d", len(text), err, len(want))
	}
	if most := len(chunks)/piece + 5; reads > most {
		t.Errorf("asked %d times, want at most %d", reads, most)
	}
	for _, from := range []int64{0, 1, 4999, 5000, 5010, 5030, int64(len(want)) - 1} {
		if _, err := reader.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(reader); err != nil || !bytes.Equal(text, want[from:]) {
			t.Errorf("from %d: %d bytes, %v, want %d", from, len(text), err, int64(len(want))-from)
		}
	}
}
