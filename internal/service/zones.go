package service

import (
	_ "embed"
	"strings"
)

//go:embed zones.txt
var zonesText string

func zoneNames() []string { return strings.Fields(zonesText) }
