# bash completion for pacsrv.  Made by 'make man': edit its sources, not this file.
# Install it in /usr/share/bash-completion/completions, without the suffix.

_pacsrv() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # bash splits --option=value into three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    # The index of the first word after --port.
    local first=1 offered
    while ((first < COMP_CWORD)) && [[ ${COMP_WORDS[first]} == @(--port) ]]; do
        [[ ${COMP_WORDS[first + 1]} != = ]] || ((first++))
        ((first += 2))
    done
    if ((COMP_CWORD < first)); then
        return
    elif ((COMP_CWORD == first)) && [[ $cur != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'status why doctor setup' -- "$cur")
        return
    fi
    case ${COMP_WORDS[first]} in
        status)
            case $prev in
                --port)
                    return
                    ;;
            esac
            mapfile -t COMPREPLY < <(compgen -W '--json --port --help --watch' -- "$cur")
            ;;
        why)
            case $prev in
                --port)
                    return
                    ;;
            esac
            mapfile -t COMPREPLY < <(compgen -W '--json --port --help' -- "$cur")
            ;;
        doctor)
            case $prev in
                --port)
                    return
                    ;;
            esac
            mapfile -t COMPREPLY < <(compgen -W '--json --port --help' -- "$cur")
            ;;
        setup)
            case $prev in
                --port)
                    return
                    ;;
                --skip)
                    mapfile -t COMPREPLY < <(compgen -W 'configuration apt service firewall' -- "$cur")
                    return
                    ;;
                --config)
                    compopt -o filenames
                    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                    return
                    ;;
            esac
            mapfile -t COMPREPLY < <(compgen -W '--port --help --apt --undo --dry-run --yes --skip --config' -- "$cur")
            ;;
        *)
            # Everything else is passed on to pacman, so pacman's completion completes it.
            if ! complete -p pacman &>/dev/null; then
                if declare -F _comp_load >/dev/null; then
                    _comp_load pacman
                elif declare -F _completion_loader >/dev/null; then
                    _completion_loader pacman
                fi
            fi
            if [[ $(complete -p pacman 2>/dev/null) =~ \ -F\ ([^ ]+) ]]; then
                COMP_WORDS=(pacman "${COMP_WORDS[@]:first}")
                ((COMP_CWORD -= first - 1))
                COMP_LINE="${COMP_WORDS[*]}"
                COMP_POINT=${#COMP_LINE}
                "${BASH_REMATCH[1]}" pacman "$cur" "$prev"
            fi
            if ((COMP_CWORD == 1)); then
                mapfile -t offered < <(compgen -W '--port --help --version' -- "$cur")
                COMPREPLY+=("${offered[@]}")
            fi
            ;;
    esac
}

complete -F _pacsrv pacsrv
