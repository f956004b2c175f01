# bash completion for pacserve.  Made by 'make man': edit its sources, not this file.
# Install it in /usr/share/bash-completion/completions, without the suffix.

_pacserve() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # bash splits --option=value into three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
        --bind | --port | --apt-port | --apt-mirror | --host-name | --multicast-filter | --multicast-group | --multicast-port | --multicast-interval | --clients | --peers | --name | --private | --spool-size | --wan-limit | --lan-limit | --mirrors-at-once)
            return
            ;;
        --pacman-conf)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --cache-dir | --spool | --state)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
        --apt-diffs)
            mapfile -t COMPREPLY < <(compgen -W 'yes no' -- "$cur")
            return
            ;;
        --pacserver)
            mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
            return
            ;;
        --interface)
            mapfile -t COMPREPLY < <(cd /sys/class/net 2>/dev/null && compgen -W "$(printf '%s ' *)" -- "$cur")
            return
            ;;
        --misses)
            mapfile -t COMPREPLY < <(compgen -W 'auto redirect fetch' -- "$cur")
            return
            ;;
        --hits)
            mapfile -t COMPREPLY < <(compgen -W 'auto redirect relay' -- "$cur")
            return
            ;;
        --log-level)
            mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$cur")
            return
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W '--bind --port --pacman-conf --cache-dir --apt --apt-port --apt-mirror --apt-diffs --pacserver --host-name --multicast --multicast-filter --multicast-group --multicast-port --multicast-interval --interface --clients --peers --name --private --misses --hits --spool --spool-size --wan-limit --lan-limit --mirrors-at-once --state --no-history --metrics-peers --log-level -h --help --more-help --version' -- "$cur")
}

complete -F _pacserve pacserve
