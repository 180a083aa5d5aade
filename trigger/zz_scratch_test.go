package trigger_test

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestZZ(t *testing.T) {
	f, err := os.Open("/tmp/forms.txt")
	if err != nil {
		t.Skip()
	}
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if s.Text() == "" {
			fmt.Println()
			continue
		}
		trig, err := trigger.Parse(s.Bytes(), nil)
		if err == nil {
			fmt.Printf("%s\n   OK %T\n", s.Text(), trig)
			continue
		}
		fmt.Printf("%s\n   %v\n", s.Text(), err)
	}
}
